#!/bin/sh
# Answers a look-up with an address that refuses, then with one that may not.
printf '127.0.0.1:1\n127.0.0.1:%s\n' "$3"
