/* What a function of the engine calls itself.
 *
 * Every method of WiredTiger's interface enters with API_SESSION_INIT (src/include/api.h), which notes
 * its name for error messages, "WT_CURSOR.next". So the method's code refers to that text,
 * in releases, snapshots and stripped builds alike. Where a function begins and ends is in the table by
 * which exceptions are unwound (.eh_frame_hdr, Linux Standard Base 10.6). Nothing is called here, and only
 * what the loader has mapped as readable is read. */
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "extension_shims.h"

/* A loaded module and one of its functions. */
struct code {
  uintptr_t address; /* the first byte */
  uintptr_t end;
  uintptr_t base;
  const ElfW(Phdr) *segments;
  int count;
};

static bool lies_in(const struct code *code, uintptr_t address, size_t length, uint32_t flags) {
  for (int i = 0; i < code->count; i++) {
    const ElfW(Phdr) *segment = &code->segments[i];
    uintptr_t start = code->base + segment->p_vaddr;
    if (segment->p_type == PT_LOAD && (segment->p_flags & flags) == flags && address >= start &&
        address - start <= segment->p_filesz && length <= segment->p_filesz - (address - start))
      return true;
  }
  return false;
}

static uint32_t word(uintptr_t address) {
  uint32_t value;
  memcpy(&value, (const void *)address, sizeof value);
  return value;
}

/* The end of the function that begins at code->address, or 0 where none begins there. */
static uintptr_t find_end(const struct code *code, uintptr_t table, size_t size) {
  /* Version 1; pointers of four bytes, the table's entries relative to its beginning, sorted. */
  static const uint8_t usual[4] = {1, 0x1b, 0x03, 0x3b};
  if (size < 12 || !lies_in(code, table, size, PF_R) || memcmp((void *)table, usual, 4)) return 0;
  uint32_t first = 0, last = word(table + 8);
  if (last > (size - 12) / 8) return 0;
  while (first < last) {
    uint32_t middle = first + (last - first) / 2;
    uintptr_t entry = table + 12 + (uintptr_t)middle * 8;
    uintptr_t start = table + (uintptr_t)(int32_t)word(entry);
    if (start == code->address) {
      /* Length, offset of the common part, the beginning relative to its own place, the size. */
      uintptr_t description = table + (uintptr_t)(int32_t)word(entry + 4);
      if (!lies_in(code, description, 16, PF_R)) return 0;
      uintptr_t again = description + 8 + (uintptr_t)(int32_t)word(description + 8);
      uintptr_t length = word(description + 12);
      return again == start && lies_in(code, start, length, PF_R | PF_X) ? start + length : 0;
    }
    if (start < code->address)
      first = middle + 1;
    else
      last = middle;
  }
  return 0;
}

static int search_module(struct dl_phdr_info *module, size_t size, void *argument) {
  struct code *code = argument;
  const ElfW(Phdr) *table = NULL;
  (void)size;
  code->base = module->dlpi_addr;
  code->segments = module->dlpi_phdr;
  code->count = module->dlpi_phnum;
  if (!lies_in(code, code->address, 1, PF_X)) return 0;
  for (int i = 0; i < code->count; i++)
    if (code->segments[i].p_type == PT_GNU_EH_FRAME) table = &code->segments[i];
  if (table) code->end = find_end(code, code->base + table->p_vaddr, table->p_memsz);
  return 1;
}

/* The function that begins at the address; false where none is known to. */
static bool find_function(const void *address, struct code *code) {
  *code = (struct code){.address = (uintptr_t)address};
  dl_iterate_phdr(search_module, code);
  return code->end != 0;
}

bool leafcutter_is_function(const void *reference, const void *address) {
  struct code code;
  return find_function(address, &code) && lies_in(&code, (uintptr_t)reference, 1, PF_X);
}

static bool is_text(const struct code *code, uintptr_t address, const char *wanted, size_t length) {
  return lies_in(code, address, length, PF_R) && memcmp((void *)address, wanted, length) == 0;
}

/* Whether the function's code refers to the text `wanted`, of which `length` bytes count. */
static bool refers_to(const void *function, const char *wanted, size_t length) {
  struct code code;
  if (!find_function(function, &code)) return false;
  for (uintptr_t at = code.address; code.end - at >= 5; at++) {
    uintptr_t operand = word(at + 1);
    /* The text's address, in a program that is linked to fixed ones: mov $TEXT to memory or a register. */
    if (is_text(&code, operand, wanted, length)) return true;
    /* An operand DISTANCE(%rip): its byte 00 REGISTER 101, and the distance, from the end of the
     * instruction. lea takes the text's address; a compiler that writes two pointers at once loads it
     * from a constant. */
    if ((*(const uint8_t *)at & 0xc7) != 0x05) continue;
    uintptr_t place = at + 5 + (uintptr_t)(int32_t)operand;
    if (is_text(&code, place, wanted, length)) return true;
    if (place % sizeof(uintptr_t) || !lies_in(&code, place, sizeof(uintptr_t), PF_R)) continue;
    if (is_text(&code, *(const uintptr_t *)place, wanted, length)) return true;
  }
  return false;
}

bool leafcutter_names_itself(const void *function, const char *name) {
  return refers_to(function, name, strlen(name) + 1);
}

bool leafcutter_names_any(const void *function, const char *beginning) {
  return refers_to(function, beginning, strlen(beginning));
}
