// Prints a table that lies in another file, with the help of an archive.
int printf(const char *format, ...);
int puts(const char *text);
unsigned long strlen(const char *text);

struct order {
  const char *name;
  unsigned diameters;
};
extern const struct order orders[];
extern const unsigned order_count;

char *repeat(char *target, char what, unsigned times);
unsigned sum(const unsigned *values, unsigned count);

static unsigned longest(void) {
  unsigned most = 0;
  for (unsigned i = 0; i < order_count; i++)
    if (strlen(orders[i].name) > most) most = strlen(orders[i].name);
  return most;
}

int main(void) {
  char bar[32];
  unsigned heights[16];
  puts("A column is this many diameters high:");
  for (unsigned i = 0; i < order_count; i++) {
    heights[i] = orders[i].diameters;
    printf("%-*s %2u %s\n", (int)longest(), orders[i].name, heights[i], repeat(bar, '=', heights[i]));
  }
  printf("together %u\n", sum(heights, order_count));
  return 0;
}
