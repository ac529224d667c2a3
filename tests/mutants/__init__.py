"""Breaks that tests must see: a kept list, a program that makes them in a copy, and the page about them."""
