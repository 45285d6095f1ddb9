"""The emulated board: the device's C++ compiled for a Cortex-M4F, on an emulated CPU.

build.py makes an image of a model, machine.py says what every machine can do, and two machines
run the image: unicorn_machine.py (pip only) and qemu_machine.py.
"""
