//! Whatever the network does, the loop goes on: measured by a probe inside it.
