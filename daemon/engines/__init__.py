"""What looks at pixels, as installed on this machine and chosen by the site.

``pixels`` is where to begin reading: it hands the core its engines. ``models`` reads text models and region
templates, ``tesseract`` runs that program, ``samples`` makes a template of what is found in a sample.
"""
