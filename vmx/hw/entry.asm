; VM entry and VM exit. L0's general registers are kept on its stack across the guest's run; the
; guest's are in a arch::Gprs, whose layout hv/arch/registers.hpp pins.

bits 64
default rel

HOST_RSP equ 0x6c14                 ; SDM vol. 3D, "Field encoding in VMCS"

%define RAX_OFFSET 0
%define RCX_OFFSET 8
%define RDX_OFFSET 16
%define RBX_OFFSET 24
%define RBP_OFFSET 40
%define RSI_OFFSET 48
%define RDI_OFFSET 56
%define R8_OFFSET  64
%define R9_OFFSET  72
%define R10_OFFSET 80
%define R11_OFFSET 88
%define R12_OFFSET 96
%define R13_OFFSET 104
%define R14_OFFSET 112
%define R15_OFFSET 120

section .text

; unsigned archelon_vmx_enter(Gprs* registers /* rdi */, bool launched /* sil */,
;                             uint64_t* host_rsp /* rdx: what HOST_RSP of the current VMCS holds */)
; 0: the guest ran and exited; 1: VMfailInvalid; 2: VMfailValid.
global archelon_vmx_enter
global archelon_vmx_exit
archelon_vmx_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push rdi
    cmp rsp, [rdx]
    je .rsp_is_set
    mov [rdx], rsp
    mov eax, HOST_RSP
    vmwrite rax, rsp
.rsp_is_set:
    test sil, sil                   ; nothing below until the jump changes ZF
    mov rax, [rdi + RAX_OFFSET]
    mov rcx, [rdi + RCX_OFFSET]
    mov rdx, [rdi + RDX_OFFSET]
    mov rbx, [rdi + RBX_OFFSET]
    mov rbp, [rdi + RBP_OFFSET]
    mov rsi, [rdi + RSI_OFFSET]
    mov r8,  [rdi + R8_OFFSET]
    mov r9,  [rdi + R9_OFFSET]
    mov r10, [rdi + R10_OFFSET]
    mov r11, [rdi + R11_OFFSET]
    mov r12, [rdi + R12_OFFSET]
    mov r13, [rdi + R13_OFFSET]
    mov r14, [rdi + R14_OFFSET]
    mov r15, [rdi + R15_OFFSET]
    mov rdi, [rdi + RDI_OFFSET]
    jz .launch
    vmresume
    jmp .failed
.launch:
    vmlaunch
.failed:
    mov eax, 1
    mov ecx, 2
    cmovz eax, ecx
    pop rdi
    jmp restore

; HOST_RIP: RSP is as it was at the entry, everything else but RIP is the guest's.
archelon_vmx_exit:
    xchg rdi, [rsp]
    mov [rdi + RAX_OFFSET], rax
    mov [rdi + RCX_OFFSET], rcx
    mov [rdi + RDX_OFFSET], rdx
    mov [rdi + RBX_OFFSET], rbx
    mov [rdi + RBP_OFFSET], rbp
    mov [rdi + RSI_OFFSET], rsi
    mov [rdi + R8_OFFSET], r8
    mov [rdi + R9_OFFSET], r9
    mov [rdi + R10_OFFSET], r10
    mov [rdi + R11_OFFSET], r11
    mov [rdi + R12_OFFSET], r12
    mov [rdi + R13_OFFSET], r13
    mov [rdi + R14_OFFSET], r14
    mov [rdi + R15_OFFSET], r15
    pop rax
    mov [rdi + RDI_OFFSET], rax
    xor eax, eax
restore:
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
