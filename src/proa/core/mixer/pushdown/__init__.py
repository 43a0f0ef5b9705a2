"""Which of Mixer's rules a proxy decides itself, where all the others run, and why."""
