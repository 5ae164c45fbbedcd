#include "guest_system.h"
