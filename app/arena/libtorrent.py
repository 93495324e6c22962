"""Downloads and shares one torrent: TORRENT FILE SHARE(yes|no). Prints "done 1 FILE" when all of it is verified."""
import os
import sys
import time

import libtorrent as lt

torrent, file, share = sys.argv[1:4]
settings = {
    "listen_interfaces": "0.0.0.0:6881",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "min_reconnect_time": 2,
    "connection_speed": 100,
}
if share == "no":
    settings["unchoke_slots_limit"] = 0
session = lt.session(settings)
wanted = lt.add_torrent_params()
wanted.ti = lt.torrent_info(torrent)
wanted.save_path = os.path.dirname(file)
handle = session.add_torrent(wanted)
while not handle.status().is_seeding:
    time.sleep(0.02)
print("done 1", file)
while True:
    time.sleep(3600)
