#include <wiredtiger.h>
