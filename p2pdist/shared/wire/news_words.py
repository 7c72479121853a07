"""What signed files of ours have in common: news are compressed by it, so that each PC gets only what is new. Pure.

A publication is told to every PC, over its site's line. It is small, and half of it is the same each time: names of
fields, paths, and what most patches leave empty. RFC 1950 calls it the preset dictionary (FDICT): whoever compresses
names its checksum, and whoever unpacks must have the same bytes. **So these bytes never change**: better ones are for a
new feature of the protocol.
"""

_MANIFEST = (
    b"\xde\x00\x13\xa6format\x01\xa8patch_id\xa5\xa7version\xa11\xa5title\xa5\xa8severity\xa8critical\xa6medium\xa3low\xa4high"
    b"\xa4cvss\xc0\xaemended_cves\xa7cve_ids\x90\xacpublished_at\xce\xa8payloads\x91\x87\xa9file_name\xa9.exe.deb.rpm.msi"
    b"\xaclength_bytes\xce\x00\xa6sha256\xd9@\xactorrent_hash\xd9@\xa8platform\xa5linux\xa7windows\xa0\xa4arch\xa5amd64\xa0"
    b"\xa8language\xa0\xa8requires\x90\xaasupersedes\x90\xa9conflicts\x90\xaaapplies_to\xa0\xa7install\xc0\xa6detect\x90"
    b"\xa6health\xc0\xa8schedule\x88\xa7windows\x90\xaanot_before\xc0\xa8deadline\xc0\xadgrace_minutes\x00\xa9deferrals\x00"
    b"\xb8longest_deferral_minutes\xcd\x05\xa0\xa9emergency\xc2\xa6reboot\xa5never\xa6number\x01\xa8replaces\x80\xa9downgrade\xc2"
)
_LISTS = (
    b"targets/torrents/.torrenttargets/profiles/.profiletargets/rollouts/.current\x93\xc4\x83\xa6format\x01\xa7entries\xdc"
    b"\x83\xa8patch_id\xa5\xa7version\xa11\xa8sequence\xcd\x01\xa9withdrawn\x90"
    b"targets/patches/.order-00\x92\xd9Ytargets/patches/.order-0\x93\xc4)\x82\xa6format\x01\xa7patches\x8c\xa5"
    b"\x82\xa6newest\x01\xa6lowest\x01\x91\x93\xcd\x01\xced\xc5\x06@d8:announce"
)
_METADATA = (
    b'"root":{"keyids":["],"threshold":1},"keys":{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"'
    b'{"signatures":[{"keyid":"","sig":""}],"signed":{"_type":"targets","expires":"2026-11-30T00:00:00Z","targets":{"'
    b'custom":{"":[16"]}},"hashes":{"sha256":""},"length":531}}}'
    b"metadata/.rollouts.json\x92\xd9!metadata/.rollouts.json\x93\xc4\xea"
    b"metadata/.torrents-0.json\x92\xd9%metadata/.torrents-0.json\x93\xc5\x01"
    b"metadata/.order.json\x92\xbemetadata/.order.json\x93\xc5\x01"
    b"metadata/.manifests-0.json\x92\xd9%metadata/.manifests-0.json\x93\xc5\x01"
    b"metadata/.snapshot.json\x92\xd9!metadata/.snapshot.json\x93\xc5\x01"
    b'"},"length":9},"manifests-"},"length":"},"torrents-"}},"version":}}\x94\x93\x00\x00b\x93\xcc\x80\xcc\xe2\xcd'
)
_BEGIN = (
    b"\x83\xa5files\x82\xa5files\x83\xb4metadata/2.root.json\xc0\xb7metadata/timestamp.json\xc5\x02\x06"
    b'{"signatures":[{"keyid":"","sig":""}],"signed":{"_type":"timestamp","expires":"2026-12-01T00:00:00Z","meta":{'
    b'"snapshot.json":{"hashes":{"sha256":""},"length":2972,"version":17}},"spec_version":"1.0.31","version":17,'
    b'"x-p2pdist-issued":17}}\xd9atargets/patches/@1.manifest\xc5\x02\x13\xa7changed\x86\xd9!'
)
NEWS_WORDS = _MANIFEST + _LISTS + _METADATA + _BEGIN
"""What is said most often is last: it is named by the shortest distances."""
