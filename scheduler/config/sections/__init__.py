"""Every setting: its default, its bounds and what it means.  A section of config/appsettings.json is a file here."""
