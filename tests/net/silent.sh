#!/bin/sh
# Stands for a resolver whose servers never answer.
exec sleep 1000
