; Entry from a multiboot2 loader: 32-bit protected mode, paging off, A20 on, interrupts off
; (Multiboot2 Specification, "I386 machine state"). Builds the first page tables, enters long mode
; and calls kernel_main(magic, mbi, image_base) on the boot stack.
;
; The loader may place the image at any multiple of 2 MiB below 4 GiB, so until paging is on every
; address is the image's base (ebp) plus an offset.

%define IMAGE_VMA 0xffffffff80200000
; The offset of a symbol in the image: IMAGE_VMA is -0x7fe00000, so this subtracts it in 32 bits.
%define OFFSET(symbol) ((symbol) + 0x7fe00000)

MULTIBOOT2_HEADER_MAGIC equ 0xe85250d6
MULTIBOOT_TAG_OPTIONAL  equ 1

CR0_BITS    equ 0x80010021           ; PG, WP, NE, PE
CR4_PAE     equ 1 << 5
MSR_EFER    equ 0xc0000080
EFER_BITS   equ (1 << 8) | (1 << 11) ; LME, NXE
PAGE_BITS   equ 0x003                ; present, writable
LARGE_BITS  equ 0x083                ; the same, 2 MiB
BOOT_STACK_SIZE equ 16384

extern kernel_main
global start
global boot_stack_bottom
global boot_stack_top

section .multiboot2 progbits alloc noexec nowrite align=8
header:
    dd MULTIBOOT2_HEADER_MAGIC
    dd 0                             ; i386
    dd header_end - header
    dd 0x100000000 - (MULTIBOOT2_HEADER_MAGIC + (header_end - header))
    align 8, db 0
    dw 4, MULTIBOOT_TAG_OPTIONAL     ; console: EGA text is understood
    dd 12
    dd 2
    align 8, db 0
    dw 6, MULTIBOOT_TAG_OPTIONAL     ; modules on page boundaries
    dd 8
    align 8, db 0
    dw 10, MULTIBOOT_TAG_OPTIONAL    ; relocatable: lowest 2 MiB multiple in 2 MiB .. 1 GiB
    dd 24
    dd 0x200000, 0x40000000, 0x200000, 1
    align 8, db 0
    dw 0, 0
    dd 8
header_end:

section .text.boot progbits alloc exec nowrite align=16
bits 32
start:
    cli
    cld
    mov esi, eax                     ; magic
    mov edi, ebx                     ; multiboot information
    ; No stack is given, and a call is the one way to learn where we are: borrow a word of low RAM.
    mov esp, 0x7c00
    mov edx, [esp - 4]
    call .here
.here:
    pop ebp
    mov [esp - 4], edx
    sub ebp, OFFSET(.here)
    lea esp, [ebp + OFFSET(boot_stack_top)]

    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb no_long_mode
    mov eax, 0x80000001
    cpuid
    test edx, 1 << 29                ; long mode
    jz no_long_mode
    test edx, 1 << 20                ; execute disable
    jz no_long_mode

    ; 4 GiB by 2 MiB pages, seen at 0 and at the direct map's base.
    lea ebx, [ebp + OFFSET(boot_pd)]
    mov eax, LARGE_BITS
    xor ecx, ecx
.fill_pd:
    mov [ebx + ecx * 8], eax
    mov dword [ebx + ecx * 8 + 4], 0
    add eax, 0x200000
    inc ecx
    cmp ecx, 4 * 512
    jb .fill_pd

    lea edx, [ebp + OFFSET(boot_pdpt)]
    lea eax, [ebx + PAGE_BITS]
    xor ecx, ecx
.fill_pdpt:
    mov [edx + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jb .fill_pdpt

    ; The image at IMAGE_VMA: the second 2 MiB page of its gigabyte and the 126 MiB after.
    lea ebx, [ebp + OFFSET(boot_image_pd)]
    lea eax, [ebp + LARGE_BITS]
    mov ecx, 1
.fill_image:
    mov [ebx + ecx * 8], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, 64
    jb .fill_image
    lea eax, [ebx + PAGE_BITS]
    lea ecx, [ebp + OFFSET(boot_image_pdpt)]
    mov [ecx + 510 * 8], eax

    lea ebx, [ebp + OFFSET(boot_pml4)]
    lea eax, [edx + PAGE_BITS]
    mov [ebx], eax
    mov [ebx + 256 * 8], eax
    lea eax, [ecx + PAGE_BITS]
    mov [ebx + 511 * 8], eax

    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov cr3, ebx
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_BITS
    wrmsr
    mov eax, cr0
    or eax, CR0_BITS
    mov cr0, eax

    lea eax, [ebp + OFFSET(boot_gdt)]
    sub esp, 8
    mov word [esp], boot_gdt_end - boot_gdt - 1
    mov [esp + 2], eax
    lgdt [esp]
    lea eax, [ebp + OFFSET(long_mode)]
    mov dword [esp + 4], 8
    mov [esp], eax
    jmp far dword [esp]

no_long_mode:
    lea esi, [ebp + OFFSET(no_long_mode_text)]
    mov edi, 0xb8000
.next:
    lodsb
    test al, al
    jz .halt
    mov ah, 0x07
    mov [edi], ax
    add edi, 2
    out 0xe9, al
    mov ah, al
    mov dx, 0x3fd
    mov ecx, 100000                  ; a line status that never says ready must not hang us
.wait:
    in al, dx
    test al, 0x20
    loopz .wait
    mov al, ah
    mov dx, 0x3f8
    out dx, al
    jmp .next
.halt:
    hlt
    jmp .halt

bits 64
long_mode:
    mov rax, .high
    jmp rax
.high:
    xor eax, eax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    mov rsp, boot_stack_top
    mov eax, esi
    mov ecx, edi
    mov edx, ebp
    mov edi, eax                     ; magic
    mov esi, ecx                     ; mbi, physical
    xor ebp, ebp                     ; the end of every backtrace
    call kernel_main
.halt:
    cli
    hlt
    jmp .halt

section .rodata.boot progbits alloc noexec nowrite align=8
boot_gdt:
    dq 0
    dq 0x00af9b000000ffff            ; 64-bit code
    dq 0x00cf93000000ffff            ; data
boot_gdt_end:
no_long_mode_text:
    db "[archelon] error: this CPU has no 64-bit mode with execute-disable; halted", 13, 10, 0

section .bss.boot nobits alloc noexec write align=4096
boot_pml4:       resb 4096
boot_pdpt:       resb 4096
boot_image_pdpt: resb 4096
boot_image_pd:   resb 4096
boot_pd:         resb 4 * 4096
boot_stack_bottom:
    resb BOOT_STACK_SIZE
boot_stack_top:
