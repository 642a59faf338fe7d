"""What is stored, and how it moves between the tiers: contracts, stores, movements, migrations, queries."""
