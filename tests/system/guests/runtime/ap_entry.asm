; Where a further CPU begins after SIPI: real mode, at a page below 1 MiB that this is copied to.

extern page_pml4, gdt, ap_main
global ap_trampoline, ap_trampoline_end, ap_stack_top

AP_PAGE equ 0x8000

section .text
bits 16
ap_trampoline:
    cli
    xor ax, ax
    mov ds, ax
    lgdt [AP_PAGE + ap_gdtr - ap_trampoline]
    mov eax, 0x20                       ; PAE
    mov cr4, eax
    mov eax, page_pml4
    mov cr3, eax
    mov ecx, 0xc0000080                 ; IA32_EFER
    rdmsr
    or eax, 1 << 8                      ; LME
    wrmsr
    mov eax, 0x80000031                 ; PG, NE, ET, PE
    mov cr0, eax
    jmp dword 0x08:ap_start64
ap_gdtr:
    dw 0x3f
    dd gdt
ap_trampoline_end:

bits 64
ap_start64:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov rsp, [rel ap_stack_top]
    xor ebp, ebp
    call ap_main
.halt:
    cli
    hlt
    jmp .halt

section .data
align 8
ap_stack_top: dq 0
