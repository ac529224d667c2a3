"""The standards' tables as data, read as they are; README.md beside this tells editions and origins."""
