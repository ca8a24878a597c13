/* What it costs to start and end a program at all: the floor below every plugin. */
int main(void) { return 0; }
