"""A message bus of the tests' own, in place of the system's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PROGRAM = "dbus-daemon"
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def is_installed() -> bool:
    """Whether there is a D-Bus daemon to run."""
    return shutil.which(PROGRAM) is not None


class PrivateBus:
    """Runs dbus-daemon in a folder; `address` is for DBUS_SYSTEM_BUS_ADDRESS."""

    def __init__(self, folder: Path) -> None:
        socket = folder / "bus"
        config = folder / "bus.conf"
        config.write_text(_CONFIG.format(socket=socket))
        self._process = subprocess.Popen(
            [PROGRAM, f"--config-file={config}", "--print-address=1", "--nofork"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError("dbus-daemon did not start")

    def stop(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
