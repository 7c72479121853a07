"""The entry of the network part: see `part`."""

from p2pdist.pc import process_memory

process_memory.leave_out("click", *process_memory.OF_TERMINALS)

from p2pdist.network.part import main  # noqa: E402 - what it loads must not load these

main()
