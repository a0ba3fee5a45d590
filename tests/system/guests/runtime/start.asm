; From the multiboot state (32-bit, no paging) to guest_start in 64-bit mode, 4 GiB mapped one to one.

MB1_MAGIC equ 0x1badb002
MB1_FLAGS equ 3                         ; page-aligned modules, memory information
MB2_MAGIC equ 0xe85250d6
STACK_SIZE equ 65536

extern guest_start
global start32, gdt, gdt_pointer, tss, page_pml4, page_pdpt, boot_stack_top

section .multiboot progbits alloc exec nowrite align=8
align 8
mb1_header:
    dd MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
align 8
mb2_header:
    dd MB2_MAGIC, 0, mb2_header_end - mb2_header
    dd 0x100000000 - (MB2_MAGIC + (mb2_header_end - mb2_header))
    dw 0, 0
    dd 8
mb2_header_end:

section .text
bits 32
start32:
    cli
    cld
    mov esp, boot_stack_top
    mov ebp, eax                        ; the loader's magic number and information
    mov esi, ebx

    ; Every page is a user page: some guests try instructions at CPL 3.
    mov edi, page_pml4
    mov dword [edi], page_pdpt + 7
    mov edi, page_pdpt
    mov eax, page_directories + 7
    mov ecx, 4
.pdpt:
    mov [edi], eax
    add edi, 8
    add eax, 4096
    loop .pdpt
    mov edi, page_directories
    mov eax, 0x87                       ; 2 MiB page, user, writable, present
    mov ecx, 4 * 512
.pd:
    mov [edi], eax
    add edi, 8
    add eax, 0x200000
    loop .pd

    mov eax, cr4
    or eax, 1 << 5                      ; PAE
    mov cr4, eax
    mov eax, page_pml4
    mov cr3, eax
    mov ecx, 0xc0000080                 ; IA32_EFER
    rdmsr
    or eax, 1 << 8                      ; LME
    wrmsr
    mov eax, 0x80000031                 ; PG, NE, ET, PE
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp 0x08:start64

bits 64
start64:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov rax, tss
    mov [gdt.tss + 2], ax
    shr rax, 16
    mov [gdt.tss + 4], al
    mov [gdt.tss + 7], ah
    mov qword [tss + 4], trap_stack_top ; RSP0
    mov eax, 0x18
    ltr ax
    mov rsp, boot_stack_top
    mov edi, ebp
    mov esi, esi
    xor ebp, ebp
    call guest_start
.halt:
    cli
    hlt
    jmp .halt

section .data
align 16
gdt:
    dq 0
    dq 0x00af9b000000ffff               ; 0x08 code, 64-bit
    dq 0x00cf93000000ffff               ; 0x10 data
.tss:
    dq 0x0000890000000067, 0            ; 0x18 TSS
    dq 0x00affb000000ffff               ; 0x28 code, CPL 3
    dq 0x00cff3000000ffff               ; 0x30 data, CPL 3
    dq 0x00cf9b000000ffff               ; 0x38 code, 32-bit
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dq gdt
align 16
tss:
    times 0x66 db 0
    dw 0x68                             ; no I/O permission bitmap

section .bss
alignb 4096
page_pml4: resb 4096
page_pdpt: resb 4096
page_directories: resb 4 * 4096
    resb STACK_SIZE
boot_stack_top:
    resb STACK_SIZE
trap_stack_top:
