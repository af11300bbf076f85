// A table of pointers: each name needs a fixup that dyld applies when it loads the program.
struct order {
  const char *name;
  unsigned diameters;
};

const struct order orders[] = {
    {"Tuscan", 7}, {"Doric", 8}, {"Ionic", 9}, {"Corinthian", 10}, {"Composite", 10},
};
const unsigned order_count = sizeof orders / sizeof *orders;
