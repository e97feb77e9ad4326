#include <stdio.h>

/* Prints a header that defines the word that is its argument. */
int main(int argc, char **argv) {
  if (argc != 2) {
    fputs("usage: tool WORD\n", stderr);
    return 2;
  }
  printf("#define GREETING \"%s\"\n", argv[1]);
  return 0;
}
