/* The number that everything here is about. */
int foo_count(void);
