"""A virtual radio: unmodified bleak on its BlueZ backend, with no Bluetooth hardware.

    bleak -> D-Bus (bus.py) -> org.bluez (bluez.py) -> bumble's virtual controllers (air.py)
          -> a GATT peripheral (peripheral.py) that runs our device code

radio.py holds it all together in a thread of its own, with the controls: pace, cut, restore.
"""
