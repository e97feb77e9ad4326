#include "foo.h"

#ifdef FOO_LOUD
#include <stdio.h>
#endif

int foo_count(void) {
#ifdef FOO_LOUD
  puts("foo counts");
#endif
  return 41;
}
