/* Preloaded into Bochs. Two ends:
 *
 * - Repeatable runs. Bochs seeds RDRAND with the wall clock through srand(); here srand() does
 *   nothing, so that two runs of the same image are the same instruction for instruction.
 * - Emulated time on each line. Before each newline that the guest writes to port 0xe9 or to a
 *   serial port, the time since power-on is put as "\x1e<nanoseconds>". The tools take it off.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

void srand(unsigned seed) { (void)seed; }

static void stamp(FILE *stream)
{
    /* bx_pc_system_c::time_nsec(), a member function of the one global object. */
    static unsigned long (*time_nsec)(void *);
    static void *pc_system;
    if (!time_nsec) {
        time_nsec = (unsigned long (*)(void *))dlsym(RTLD_DEFAULT, "_ZN14bx_pc_system_c9time_nsecEv");
        pc_system = dlsym(RTLD_DEFAULT, "bx_pc_system");
    }
    if (time_nsec && pc_system)
        fprintf(stream, "\x1e%lu", time_nsec(pc_system));
}

int fputc(int c, FILE *stream)
{
    if (c == '\n')
        stamp(stream);
    return putc_unlocked(c, stream);
}

/* Port 0xe9 and the serial ports each use one of these two. */
#undef putc
int putc(int c, FILE *stream) { return fputc(c, stream); }
