#include "extension_shims.h"
