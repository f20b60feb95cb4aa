//! Every form of a line, hostile ones, and the life of the program that prints them.
