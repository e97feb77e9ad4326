/* One more than libfoo says. */
int bar_count(void);
