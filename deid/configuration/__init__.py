"""What a site asks for: the Healthcare API's documents and our own fields, checked, compiled and explained."""
