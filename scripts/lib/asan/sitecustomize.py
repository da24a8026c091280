"""Keeps the sanitizers' runtime out of the programs that tests start (curl hangs under it), but not out of Python."""

import os
import sys

os.environ.pop("LD_PRELOAD", None)
sys.executable = os.environ["SANITIZER_LAUNCHER"]
