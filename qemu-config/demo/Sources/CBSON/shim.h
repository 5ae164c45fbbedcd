#include <libbson-1.0/bson/bson.h>
