"""What tests of several rooms use: servers on free ports of 127.0.0.1, keys, bodies, the clock."""
