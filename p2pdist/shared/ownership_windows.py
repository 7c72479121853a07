"""Who could change a file or directory on Windows: its owner, and the list of who may do what, as one text (SDDL).

The decision is pure. What reads and writes the lists runs on Windows alone.
"""

import re
import sys
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

_TRUSTED_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"  # owns what Windows brings
_TRUSTED = {"SY", "S-1-5-18", "BA", "S-1-5-32-544", "OW", "S-1-3-4", _TRUSTED_INSTALLER}
_OWNER = re.compile(r"O:([A-Z]{2}|S-[0-9-]+)")
_LIST = re.compile(r"D:([A-Z_]*)(.*)", re.DOTALL)
_ENTRY = re.compile(r"\(([^;()]*);([^;()]*);([^;()]*);[^;()]*;[^;()]*;([^;()]*)")
_ALLOWS = {"A", "XA", "OA", "XOA"}
_RIGHTS = {
    "GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000,
    "RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
}  # fmt: skip
_TAKE_AWAY = 0x40 | 0x10000 | 0x40000 | 0x80000 | 0x10000000  # delete (what is in it), change list or owner, all of it
_PUT_IN = 0x2 | 0x4 | 0x40000000  # add files (write into one), add directories (append to one), write
PRIVATE = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"
"""The list of a private directory: for the system, administrators and its owner; nothing is inherited from above."""


def distrust_sddl(path: Path, sddl: str, own_sid: str, *, sticky_is_enough: bool = False) -> str | None:
    """Return who could change what is at ``path`` besides administrators and ``own_sid``, for people; None: nobody.

    ``sticky_is_enough``: others may add to it, but not take away. In the root of a drive they always may.
    """
    trusted = _TRUSTED | {own_sid}
    owner = _OWNER.search(sddl)
    if owner is None or owner[1] not in trusted:
        return (
            f"{path} belongs to {owner[1] if owner else 'nobody known'}, who could change what is there; "
            f'look what it holds, then: takeown /A /F "{path}"'
        )
    access = _LIST.search(sddl)
    if access is None or "NO_ACCESS_CONTROL" in access[1]:
        return f'{path} may be changed by everybody; look what it holds, then: icacls "{path}" /reset'
    harmful = _TAKE_AWAY if sticky_is_enough or path.parent == path else _TAKE_AWAY | _PUT_IN
    for kind, flags, rights, trustee in _ENTRY.findall(access[2]):
        only_inherited = "IO" in re.findall("..", flags)
        if kind in _ALLOWS and not only_inherited and trustee not in trusted and _mask(rights) & harmful:
            return f'{path} may be changed by {trustee}; look what it holds, then: icacls "{path}" /remove:g *{trustee}'
    return None


def _mask(rights: str) -> int:
    """Return the bits of the rights; of a word that is not known, all."""
    if rights.lower().startswith("0x"):
        return int(rights, 16)
    mask = 0
    for word in re.findall("..?", rights):
        mask |= _RIGHTS.get(word, 0xFFFFFFFF)
    return mask


if sys.platform == "win32":
    _FILE_OBJECT = 1  # SE_FILE_OBJECT
    _OWNER_INFORMATION, _DACL_INFORMATION, _PROTECTED_DACL = 0x1, 0x4, 0x80000000
    _SDDL_REVISION = 1
    _TOKEN_QUERY, _TOKEN_USER = 0x8, 1
    _advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)
    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.LocalFree.argtypes = (ctypes.c_void_p,)
    _kernel32.GetCurrentProcess.restype = wintypes.HANDLE

    def distrust(path: Path, *, sticky_is_enough: bool = False) -> str | None:
        """Return the answer of `distrust_sddl` for what is at ``path``. Raises `OSError`."""
        return distrust_sddl(path, _read_sddl(path), _own_sid(), sticky_is_enough=sticky_is_enough)

    def make_private(path: Path) -> None:
        """Give a directory the list `PRIVATE`. Raises `OSError`."""
        descriptor, present, dacl, defaulted = ctypes.c_void_p(), wintypes.BOOL(), ctypes.c_void_p(), wintypes.BOOL()
        _succeeded(
            _advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(
                PRIVATE, _SDDL_REVISION, ctypes.byref(descriptor), None
            )
        )
        try:
            _succeeded(
                _advapi32.GetSecurityDescriptorDacl(
                    descriptor, ctypes.byref(present), ctypes.byref(dacl), ctypes.byref(defaulted)
                )
            )
            _no_error(
                _advapi32.SetNamedSecurityInfoW(
                    str(path), _FILE_OBJECT, _DACL_INFORMATION | _PROTECTED_DACL, None, None, dacl, None
                )
            )
        finally:
            _kernel32.LocalFree(descriptor)

    def _read_sddl(path: Path) -> str:
        descriptor, text = ctypes.c_void_p(), wintypes.LPWSTR()
        parts = _OWNER_INFORMATION | _DACL_INFORMATION
        _no_error(
            _advapi32.GetNamedSecurityInfoW(
                str(path), _FILE_OBJECT, parts, None, None, None, None, ctypes.byref(descriptor)
            )
        )
        try:
            _succeeded(
                _advapi32.ConvertSecurityDescriptorToStringSecurityDescriptorW(
                    descriptor, _SDDL_REVISION, parts, ctypes.byref(text), None
                )
            )
            return _freed(text)
        finally:
            _kernel32.LocalFree(descriptor)

    def _own_sid() -> str:
        token, length, text = wintypes.HANDLE(), wintypes.DWORD(), wintypes.LPWSTR()
        process = wintypes.HANDLE(_kernel32.GetCurrentProcess())
        _succeeded(_advapi32.OpenProcessToken(process, _TOKEN_QUERY, ctypes.byref(token)))
        try:
            _advapi32.GetTokenInformation(token, _TOKEN_USER, None, 0, ctypes.byref(length))
            user = ctypes.create_string_buffer(length.value)
            _succeeded(_advapi32.GetTokenInformation(token, _TOKEN_USER, user, length, ctypes.byref(length)))
            sid = ctypes.cast(user, ctypes.POINTER(ctypes.c_void_p))[0]  # TOKEN_USER begins with a pointer to the SID
            _succeeded(_advapi32.ConvertSidToStringSidW(ctypes.c_void_p(sid), ctypes.byref(text)))
            return _freed(text)
        finally:
            _kernel32.CloseHandle(token)

    def _freed(text: wintypes.LPWSTR) -> str:
        value = text.value or ""
        _kernel32.LocalFree(ctypes.cast(text, ctypes.c_void_p))
        return value

    def _succeeded(result: int) -> None:
        if not result:
            raise ctypes.WinError(ctypes.get_last_error())

    def _no_error(code: int) -> None:
        if code:
            raise ctypes.WinError(code)
