"""`python -m trtfarm_cli` is `trtfarm`."""

from trtfarm_cli.main import main

main()
