"""The rows in one SQLite file: everything here that speaks SQL, and nothing that decides."""
