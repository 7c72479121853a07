"""`p2pdist.shared.ownership_windows`: the decision, by texts as Windows writes them. The system calls are not tried."""

import re
from pathlib import Path, PureWindowsPath
from typing import cast

import pytest

from p2pdist.shared.ownership_windows import PRIVATE, distrust_sddl

OWN = "S-1-5-21-1-2-3-1001"
HOME = cast("Path", PureWindowsPath("C:\\ProgramData\\p2pdist"))
DRIVE = cast("Path", PureWindowsPath("C:\\"))
DRIVE_LIST = "D:PAI(A;;LC;;;AU)(A;OICIIO;SDGXGWGR;;;AU)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;OICIIO;GA;;;BA)(A;;FA;;;BA)"
PROGRAM_FILES = (
    "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464G:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICIIO;GA;;;SY)"
    "(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;BA)(A;;0x1301bf;;;BA)(A;OICIIO;GXGR;;;BU)(A;;0x1200a9;;;BU)"
)
PROGRAM_DATA = (
    "O:SYG:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;CI;DCLCRPCR;;;BU)(A;OICI;0x1200a9;;;BU)"
)


@pytest.mark.parametrize("owner", ["SY", "BA", "S-1-5-18", OWN])
@pytest.mark.parametrize("access", [PRIVATE, "D:AI(A;OICIID;FA;;;SY)(A;ID;0x1200a9;;;BU)", f"D:(A;;FA;;;{OWN})", "D:P"])
def test_what_administrators_and_we_alone_may_change_is_trusted(owner: str, access: str) -> None:
    assert distrust_sddl(HOME, f"O:{owner}G:SY{access}", OWN) is None


@pytest.mark.parametrize(
    ("sddl", "words"),
    [
        (f"O:S-1-5-21-1-2-3-1002G:SY{PRIVATE}", 'belongs to S-1-5-21-1-2-3-1002, .* takeown /A /F "C:'),
        (f"O:BU{PRIVATE}", "belongs to BU"),
        (PRIVATE, "belongs to nobody known"),
        ("O:SYG:SY", "changed by everybody"),
        ("O:SYG:SYD:NO_ACCESS_CONTROL", "changed by everybody"),
        (PROGRAM_DATA, r"changed by BU; .* /remove:g \*BU"),
        ("O:SYD:(A;OICI;FA;;;WD)", "changed by WD"),
        ("O:SYD:(A;;0x2;;;AU)", "changed by AU"),
        ("O:SYD:(A;;WO;;;S-1-5-21-1-2-3-1002)", "changed by S-1-5-21-1-2-3-1002"),
        ("O:SYD:(XA;;GW;;;BU;(Member_of {SID(BA)}))", "changed by BU"),
        ("O:SYD:(A;;??;;;BU)", "changed by BU"),
        ("O:SYD:(D;;FA;;;BG)(A;;DT;;;BU)", "changed by BU"),
    ],
)
def test_what_others_may_change_is_not(sddl: str, words: str) -> None:
    answer = distrust_sddl(HOME, sddl, OWN)
    assert answer is not None
    assert re.search(words, answer), answer


def test_the_system_s_own_places_are_what_they_are() -> None:
    assert distrust_sddl(cast("Path", PureWindowsPath("C:\\Program Files")), PROGRAM_FILES, OWN) is None
    assert distrust_sddl(DRIVE, f"O:SY{DRIVE_LIST}", OWN) is None  # others add to it, and take nothing away
    assert distrust_sddl(HOME.parent, PROGRAM_DATA, OWN, sticky_is_enough=True) is None
    assert distrust_sddl(HOME, f"O:SY{DRIVE_LIST}", OWN) is not None
    assert distrust_sddl(HOME.parent, "O:SYD:(A;;0x40;;;BU)", OWN, sticky_is_enough=True) is not None
