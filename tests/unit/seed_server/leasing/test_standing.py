"""`seed_server.leasing.standing`: faults that add up, and what an endpoint may be sent."""

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from seed_server.leasing.standing import (
    DEMOTED_SECONDS,
    FORGIVEN_SECONDS,
    LONGEST_DEMOTED_SECONDS,
    MAX_ACCOUNTS,
    MAX_ALARMS,
    MAX_STANDINGS,
    REFILL_SECONDS,
    SENT_SPARE_PIECES,
    Account,
    Alarm,
    Fault,
    Standings,
)

A = EndpointId("a" * 26)
ONE = TorrentHash("11" * 32)


def endpoint(number: int) -> EndpointId:
    return EndpointId(f"{number:026}")


def demoted_for(standings: Standings, now: float) -> float:
    seconds = 0.0
    while standings.demoted(A, now + seconds):
        seconds += 100.0
    return seconds


class TestFaults:
    def test_each_fault_demotes_for_twice_as_long_up_to_a_day(self) -> None:
        standings, now, found = Standings(), 0.0, []
        for _ in range(12):
            standings.fault(A, ONE, Fault.EXPIRED, now)
            found.append(demoted_for(standings, now))
            now += found[-1]
        assert found[:3] == [DEMOTED_SECONDS, 2 * DEMOTED_SECONDS, 4 * DEMOTED_SECONDS]
        assert max(found) == LONGEST_DEMOTED_SECONDS

    def test_faults_while_it_is_last_add_nothing(self) -> None:
        standings = Standings()
        for now in range(100):
            standings.fault(A, ONE, Fault.EXPIRED, float(now))
        assert demoted_for(standings, 0.0) == DEMOTED_SECONDS

    def test_a_day_without_a_fault_begins_anew(self) -> None:
        standings = Standings()
        standings.fault(A, ONE, Fault.EXPIRED, 0.0)
        standings.fault(A, ONE, Fault.EXPIRED, FORGIVEN_SECONDS)
        assert demoted_for(standings, FORGIVEN_SECONDS) == DEMOTED_SECONDS

    def test_only_after_a_lie_is_it_not_believed(self) -> None:
        standings = Standings()
        standings.fault(A, ONE, Fault.EXPIRED, 0.0)
        standings.fault(A, ONE, Fault.OVER_ALLOWANCE, 0.0)
        assert not standings.distrusted(A, 1.0)
        standings.fault(A, ONE, Fault.TAKEN_BACK, 1.0)
        assert standings.distrusted(A, 2.0)
        assert standings.demoted(A, 2.0)

    def test_alarms_come_once_and_are_bounded(self) -> None:
        standings = Standings()
        for _ in range(3):
            standings.fault(A, ONE, Fault.UNSHARED, 0.0)
        assert standings.take_alarms() == [Alarm(A, ONE, Fault.UNSHARED)]
        assert standings.take_alarms() == []
        for number in range(MAX_ALARMS + 1):
            standings.fault(endpoint(number), ONE, Fault.UNSHARED, 0.0)
        assert len(standings.take_alarms()) == MAX_ALARMS

    def test_as_many_are_remembered_as_there_is_room_for(self) -> None:
        standings = Standings()
        for number in range(MAX_STANDINGS + 1):
            standings.fault(endpoint(number), ONE, Fault.EXPIRED, 0.0)
        assert not standings.demoted(endpoint(0), 1.0)
        assert standings.demoted(endpoint(1), 1.0)


class TestAccounts:
    def test_a_file_and_a_twentieth_may_be_sent_and_then_a_file_a_day(self) -> None:
        account = Account(1_000, 0.0)
        sent = 0
        while account.left(0.0):
            account.send(0.0)
            sent += 1
        assert sent == 1_050 + SENT_SPARE_PIECES
        assert account.left(REFILL_SECONDS / 1_000) == 1
        assert account.left(REFILL_SECONDS) == 1_000
        assert account.left(10 * REFILL_SECONDS) == sent

    def test_what_was_not_sent_does_not_count(self) -> None:
        account = Account(1, 0.0)
        before = account.left(0.0)
        account.send(0.0)
        account.unsend()
        assert account.left(0.0) == before

    def test_it_is_the_same_for_every_connection_and_another_for_each_torrent(self) -> None:
        standings = Standings()
        account = standings.account(A, ONE, 10, 0.0)
        assert standings.account(A, ONE, 10, 5.0) is account
        assert standings.account(A, TorrentHash("22" * 32), 10, 0.0) is not account

    def test_as_many_are_kept_as_there_is_room_for(self) -> None:
        standings = Standings()
        used = standings.account(A, ONE, 10, 0.0)
        for number in range(MAX_ACCOUNTS - 1):
            standings.account(endpoint(number), ONE, 10, 0.0)
        assert standings.account(A, ONE, 10, 0.0) is used
        standings.account(endpoint(MAX_ACCOUNTS), ONE, 10, 0.0)
        assert standings.account(A, ONE, 10, 0.0) is used

    def test_a_confirmed_piece_is_unshared_until_another_endpoint_has_it(self) -> None:
        account = Account(10, 0.0)
        account.confirm(0b11)
        account.share(0b01)
        assert (account.any_unshared, account.shared) == (0b10, 1)
        account.share(0b01)
        assert account.shared == 1

    def test_ages_that_are_old_enough_are_one(self) -> None:
        account = Account(10, 0.0)
        for piece in range(5):
            account.confirm(1 << piece)
            account.grow_older(2)
        assert account.unshared == [0b01111, 0b10000, 0]

    def test_a_piece_that_is_taken_back_is_noticed_once(self) -> None:
        account = Account(10, 0.0)
        account.confirm(0b111)
        assert not account.keep(0b1111)
        assert account.keep(0b110)
        assert not account.keep(0b110)
        assert account.any_unshared == 0b110

    def test_what_was_sent_in_vain_is_made_up_for_by_what_is_confirmed(self) -> None:
        account = Account(10, 0.0)
        account.debt = 2
        account.confirm(0b1)
        assert account.debt == 1
        account.confirm(0b1110)
        assert account.debt == 0
