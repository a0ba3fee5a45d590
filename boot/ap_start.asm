; Where an application processor begins after a STARTUP IPI: real mode, at offset 0 of a page below
; 1 MiB (SDM vol. 3A, "Multiple-Processor (MP) Initialization"). The boot CPU copies this code there
; and fills in the parameters at its end (hv/hw/smp.cpp), whose CR3 maps this page at its own
; address, read-only. Until paging is on all addresses are ebx, the page, plus an offset.

%define AT(label) ((label) - ap_start)

STATE_WAITING equ 1
STATE_CLAIMED equ 2
CODE32 equ 0x08
DATA32 equ 0x10
CODE64 equ 0x18
CR0_BITS equ 0x80010021               ; PG, WP, NE, PE
CR0_CACHE_OFF equ 0x60000000          ; CD, NW
CR4_PAE equ 1 << 5
MSR_EFER equ 0xc0000080
EFER_BITS equ (1 << 8) | (1 << 11)    ; LME, NXE

global ap_start
global ap_start_parameters
global ap_start_end

section .rodata.ap_start progbits alloc noexec nowrite align=16
bits 16
ap_start:
    cli
    cld
    mov ax, cs
    mov ds, ax
    xor ebx, ebx
    mov bx, ax
    shl ebx, 4

    ; The boot CPU has given up on whom it no longer waits for: such a one must not touch anything.
    mov al, STATE_WAITING
    mov dl, STATE_CLAIMED
    lock cmpxchg [AT(state)], dl
    jnz .stop

    lea eax, [ebx + AT(gdt)]
    mov [AT(gdt_base)], eax
    lea eax, [ebx + AT(protected_mode)]
    mov [AT(far_offset)], eax
    lgdt [AT(gdt_limit)]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp far dword [AT(far_offset)]
.stop:
    hlt
    jmp .stop

bits 32
protected_mode:
    mov eax, DATA32
    mov ds, eax
    mov es, eax
    mov ss, eax
    lea eax, [ebx + AT(long_mode)]
    mov [ebx + AT(far_offset)], eax
    mov word [ebx + AT(far_selector)], CODE64
    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, [ebx + AT(page_tables)]
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_BITS
    wrmsr
    mov eax, cr0
    and eax, ~CR0_CACHE_OFF
    or eax, CR0_BITS
    mov cr0, eax
    jmp far dword [ebx + AT(far_offset)]

bits 64
long_mode:
    mov edi, [rbx + AT(index)]
    mov rsp, [rbx + AT(stack)]
    mov rax, [rbx + AT(entry)]
    xor ebp, ebp
    call rax
    ud2

align 16
gdt:
    dq 0
    dq 0x00cf9b000000ffff             ; 32-bit code
    dq 0x00cf93000000ffff             ; data
    dq 0x00af9b000000ffff             ; 64-bit code
gdt_end:
gdt_limit:
    dw gdt_end - gdt - 1
gdt_base:
    dd 0
    align 4
far_offset:
    dd 0
far_selector:
    dw CODE32

align 8
ap_start_parameters:                  ; hw::ApParameters
entry:       dq 0
stack:       dq 0
page_tables: dd 0
index:       dd 0
state:       dd 0
             dd 0
ap_start_end:
