"""What a site names in its deidentifiers: the file of the key, and the files of the configurations."""
