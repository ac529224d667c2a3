"""What looks at pixels, as installed on this machine: models, the program tesseract, samples for templates."""
