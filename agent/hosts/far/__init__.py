"""What runs on a host at the other end of its channel.

These modules are sent over the channel itself, with ``luthier.agent.supervisor``, and run by any
Python from 3.8 on: standard library only, and imports among themselves only.
"""
