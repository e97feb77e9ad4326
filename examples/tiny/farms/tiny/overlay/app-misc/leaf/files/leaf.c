#include <bar.h>
#include <stdio.h>

#include "greeting.h"

int main(void) {
  printf("%s %d\n", GREETING, bar_count());
  return 0;
}
