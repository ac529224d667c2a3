"""Pictures of stored instances: decoded and drawn in processes of their own (PS3.18 8.3.5, PS3.4 N.2)."""
