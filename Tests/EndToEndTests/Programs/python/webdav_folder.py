"""A folder by WebDAV, for everybody, with locks."""
import sys

import cheroot.wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

app = WsgiDAVApp(
    {
        "provider_mapping": {"/": sys.argv[1]},
        "simple_dc": {"user_mapping": {"*": True}},
        "lock_storage": True,
        "property_manager": True,
        "verbose": 1,
    }
)
server = cheroot.wsgi.Server(("127.0.0.1", 0), app)
server.prepare()
print("listening on", server.bind_addr[1], flush=True)
server.serve()
