"""Puts job tokens into a FIFO and takes them back.

Reads `+N` (put N in), `-N` (take up to N back, as far as nobody holds them), a line each. Answers each with how many it took
back, and how many lie in the FIFO. The argument is the FIFO's path.
"""

import fcntl
import os
import struct
import sys
import termios
import time


def opened(path):
    """The FIFO, once somebody made it."""
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except FileNotFoundError:
            time.sleep(0.02)


def main():
    fifo = opened(sys.argv[1])
    for line in iter(sys.stdin.readline, ""):
        count, back = int(line[1:]), 0
        if line[0] == "+":
            os.write(fifo, b"+" * count)
        elif count:
            try:
                back = len(os.read(fifo, count))
            except BlockingIOError:
                pass
        there = struct.unpack("i", fcntl.ioctl(fifo, termios.FIONREAD, b"\0" * 4))[0]
        print(back, there, flush=True)


main()
