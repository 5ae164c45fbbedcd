#include "wiredtiger_store.h"
