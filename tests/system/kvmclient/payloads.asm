; Guests of `kvmclient check`. Each is loaded at 0x1000 and reports by port 0x10.

global real_begin, real_end, protected_begin, protected_end, long_begin, long_end
global interrupt_begin, interrupt_end

REPORT equ 0x10

section .rodata

bits 16
real_begin:
    add ax, bx
    out REPORT, ax
    mov cx, 1000                        ; 1000 exits
.ports:
    in al, 0x20
    add dl, al
    loop .ports
    mov al, dl
    out REPORT, al
    mov ax, 0xd000                      ; no memory there
    mov ds, ax
    mov al, [0x123]
    mov [0x124], al
    out REPORT, al
    mov eax, 0x40000000                 ; the hypervisor's leaf
    cpuid
    mov eax, ebx
    out REPORT, eax
    hlt
real_end:

bits 32
protected_begin:
    mov edi, 0x100000
    mov ecx, 0x40000
    mov eax, 1
.fill:
    mov [edi + ecx * 4 - 4], eax
    lea eax, [eax * 5 + 3]
    loop .fill
    mov ecx, 0x40000
    xor eax, eax
.sum:
    add eax, [edi + ecx * 4 - 4]
    loop .sum
    out REPORT, eax
    pushad
    popad
    mov eax, esp
    out REPORT, eax
    hlt
protected_end:

bits 64
long_begin:
    mov rdi, 0x200000
    mov ecx, 64
    xor eax, eax
.pages:
    mov [rdi], rdi
    add rax, [rdi]
    add rdi, 4096
    dec ecx
    jnz .pages
    ror rax, 12
    out REPORT, eax
    mov ecx, 0xc0000081                 ; STAR
    mov eax, 0x89abcdef
    mov edx, 0x01234567
    wrmsr
    xor eax, eax
    rdmsr
    out REPORT, eax
    mov ecx, 1000000
.spin:
    dec ecx
    jnz .spin
    mov rax, cr4
    out REPORT, eax
    hlt
long_end:

bits 16
interrupt_begin:
    mov word [0x40 * 4], interrupt_handler - interrupt_begin + 0x1000
    mov word [0x40 * 4 + 2], 0
    mov cx, 10
.wait:
    sti
    hlt
    cli
    loop .wait
    mov ax, bx
    out REPORT, ax
    hlt
interrupt_handler:
    inc bx
    iret
interrupt_end:
