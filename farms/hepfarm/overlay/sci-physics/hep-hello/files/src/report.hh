// Apart from the rest: HepMC3 and log4cpp each have their own idea of ERROR and DEBUG.

/// Reports a message by log4cpp on standard output, if the program was built with it.
void report(const char* message);
