#include "bar.h"

#include <foo.h>

int bar_count(void) { return foo_count() + 1; }
