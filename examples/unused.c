// The third member of libtext.a, which nobody asks for: what it needs does not exist.
void does_not_exist(void);

void unused(void) { does_not_exist(); }
