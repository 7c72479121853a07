"""Make a TCP socket deaf: the kernel drops what arrives for it, unacknowledged, as on a line that is down. Linux."""

import ctypes
import socket

import trio

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # asm-generic/socket.h


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def deafen(sock: trio.socket.SocketType) -> None:
    """Drop what arrives from now on: a classic BPF program that takes 0 bytes of every packet."""
    instruction = _Instruction(code=0x06, jt=0, jf=0, k=0)  # BPF_RET | BPF_K
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(_Program(1, ctypes.pointer(instruction))))


def hear_again(sock: trio.socket.SocketType) -> None:
    """Drop nothing any more."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
