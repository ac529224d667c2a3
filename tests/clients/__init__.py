"""Programs in other languages that ask our services by the client libraries people use there."""
